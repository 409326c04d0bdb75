"""The admin's pages of mails: what was sent, previews, “send again”, the owner's texts, and “out of stock”."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from checkout.mail import outbox
from checkout.mail.kinds import KINDS
from checkout.mail.render import Renderer
from checkout.mail.sending import send_due
from checkout.mail.texts import standard_wording
from checkout.mail_pages import sample_mail
from checkout.models import CustomerMail, MailText, Order
from checkout.tests.catcher import Catcher
from shop.models import Product, Storefront

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("mails_on")]
State = CustomerMail.State


@pytest.fixture
def order(shirt: Product) -> Order:
    order = Order.objects.create(
        state=Order.State.PAID,
        paid_at=timezone.now(),
        email="ada@example.com",
        name="<b>Ada</b>",
        currency="usd",
        subtotal=5000,
        total=5000,
    )
    order.lines.create(
        position=0, product=shirt, name="BALM <i>T-Shirt</i>", size="M", quantity=2, unit_amount=2500
    )
    return order


@pytest.fixture
def mail(order: Order) -> CustomerMail:
    outbox.queue("order_confirmation", reference=order.reference, to=order.email, order=order)
    return CustomerMail.objects.get()


def text_page(kind: str = "order_confirmation") -> str:
    return reverse("admin:checkout_mailtext", args=[kind, "en"])


def texts(**changed: str) -> dict[str, str]:
    standard = standard_wording(KINDS["order_confirmation"])
    return {"subject": standard.subject, "heading": standard.heading, "text": standard.text, **changed}


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_is_small_safe_and_free_of_tracking(kind: str) -> None:
    rendered = sample_mail(KINDS[kind], "en", standard_wording(KINDS[kind]))

    assert len(rendered.html.encode()) < 60_000
    assert "{" not in rendered.subject + rendered.text
    assert "<script" not in rendered.html and "<img" not in rendered.html and "url(" not in rendered.html
    assert 'lang="en"' in rendered.html and "prefers-color-scheme: dark" in rendered.html
    assert rendered.text.isprintable() or set(rendered.text) - {"\n"} == {
        letter for letter in rendered.text if letter.isprintable()
    }


def test_a_mail_of_many_long_lines_stays_small(order: Order) -> None:
    for position in range(1, 300):
        order.lines.create(
            position=position, name="T-Shirt " * 600, size="M" * 500, quantity=1, unit_amount=100
        )
    outbox.queue("order_confirmation", reference="1", to=order.email, order=order)

    rendered = Renderer.load().render(CustomerMail.objects.get())

    assert len(rendered.html.encode()) < 60_000 and "and 250 more" in rendered.text


def test_names_are_text_in_the_mail_and_in_its_preview(admin_client: Client, mail: CustomerMail) -> None:
    page = admin_client.get(reverse("admin:checkout_customermail_preview", args=[mail.pk]))

    html = page.content.decode()
    assert "BALM &lt;i&gt;T-Shirt&lt;/i&gt;" in html and "<i>T-Shirt" not in html
    assert "BALM <i>T-Shirt</i>" in Renderer.load().render(mail).text


def test_a_preview_runs_no_script(admin_client: Client, mail: CustomerMail) -> None:
    page = admin_client.get(reverse("admin:checkout_customermail_preview", args=[mail.pk]))

    policy = page["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "sandbox" in policy and "script-src" not in policy


def test_the_list_and_the_page_of_a_mail_show_what_was_sent(
    admin_client: Client, mail: CustomerMail, catcher: Catcher
) -> None:
    send_due(timezone.now())

    listed = admin_client.get(reverse("admin:checkout_customermail_changelist")).content.decode()
    page = admin_client.get(reverse("admin:checkout_customermail_change", args=[mail.pk])).content.decode()

    assert "order confirmation" in listed and "ada@example.com" in listed
    assert "Thank you for your order" in page and "Send again" in page


def test_a_mail_is_sent_again_to_another_address(
    admin_client: Client, mail: CustomerMail, catcher: Catcher
) -> None:
    send_due(timezone.now())
    again = reverse("admin:checkout_customermail_again", args=[mail.pk])

    admin_client.post(again, {"to": "ada@example.org"})
    admin_client.post(again, {"to": "ada@example.org"})
    send_due(timezone.now())

    assert catcher.recipients == ["ada@example.com", "ada@example.org"]
    assert catcher.mails[0]["Message-ID"] != catcher.mails[1]["Message-ID"]


def test_an_address_that_is_none_is_refused_with_a_message(
    admin_client: Client, mail: CustomerMail, catcher: Catcher
) -> None:
    send_due(timezone.now())
    again = reverse("admin:checkout_customermail_again", args=[mail.pk])

    page = admin_client.post(again, {"to": "ada@example.org\r\nBcc: all@example.com"}, follow=True)

    assert "Nothing was sent" in page.content.decode()
    mail.refresh_from_db()
    assert (mail.state, mail.to) == (State.SENT, "ada@example.com")


def test_selected_mails_are_sent_again(admin_client: Client, mail: CustomerMail, catcher: Catcher) -> None:
    send_due(timezone.now())
    action = {"action": "send_selected_again", "_selected_action": [mail.pk]}

    admin_client.post(reverse("admin:checkout_customermail_changelist"), action)

    mail.refresh_from_db()
    assert mail.state == State.QUEUED


def test_the_owners_text_is_sent(admin_client: Client, mail: CustomerMail, catcher: Catcher) -> None:
    own = texts(subject="{shop}: {order} is ours now", text="Hello {name},\n\nthanks!")
    assert admin_client.post(text_page(), own).status_code == 302

    send_due(timezone.now())

    [received] = catcher.mails
    assert received["Subject"] == f"Our Shop: {mail.order} is ours now"
    assert "Hello <b>Ada</b>," in CustomerMail.objects.get().body
    part = received.get_body(("html",))
    html = part.get_content() if part else ""
    assert "Hello &lt;b&gt;Ada&lt;/b&gt;," in html and "Thank you for your order" in html


@pytest.mark.parametrize(
    "text", ["Hello {nmae}", "Hello {", "Hello {order", "{0}", "{order.session_id}", "{{ order }}"]
)
def test_a_text_with_an_unknown_placeholder_is_not_saved(admin_client: Client, text: str) -> None:
    page = admin_client.post(text_page(), texts(text=text)).content.decode()

    assert "Nothing was saved" in page and "{order}" in page
    assert not MailText.objects.exists()


def test_template_code_in_a_text_is_text(admin_client: Client, mail: CustomerMail) -> None:
    MailText.objects.create(kind=mail.kind, language="en", text="{% include 'x' %} <script>")

    rendered = Renderer.load().render(mail)

    assert "{% include 'x' %} <script>" in rendered.text and "<script>" not in rendered.html


def test_braces_in_a_customers_name_stay_as_they_are(order: Order, mail: CustomerMail) -> None:
    Order.objects.update(name="{total}")
    MailText.objects.create(kind=mail.kind, language="en", text="Hello {name}")

    assert "Hello {total}" in Renderer.load().render(CustomerMail.objects.get()).text


def test_a_text_is_previewed_without_being_saved(admin_client: Client) -> None:
    page = admin_client.post(text_page(), {**texts(heading="Hooray, {name}"), "preview": "1"})

    assert "Hooray, Ada Lovelace" in page.content.decode()
    assert "sandbox" in page["Content-Security-Policy"] and not MailText.objects.exists()


def test_the_standard_text_comes_back(admin_client: Client) -> None:
    admin_client.post(text_page(), texts(heading="Hooray"))
    assert MailText.objects.get().subject == ""  # Only what differs is kept.

    admin_client.post(text_page(), {"standard": "1"})

    assert not MailText.objects.exists()


def test_saving_the_standard_text_keeps_nothing(admin_client: Client) -> None:
    admin_client.post(text_page(), texts())

    assert not MailText.objects.exists()


def test_the_list_of_texts_has_every_kind(admin_client: Client) -> None:
    page = admin_client.get(reverse("admin:checkout_mailtext_changelist")).content.decode()

    assert all(text_page(kind) in page for kind in KINDS)


def test_the_shops_look_is_in_the_mail(mail: CustomerMail) -> None:
    Storefront.objects.create(name="Tin & Cotton", accent="#1f4b3f", logo="https://img.example/logo.png")

    html = Renderer.load().render(mail).html

    assert 'alt="Tin &amp; Cotton"' in html and "https://img.example/logo.png" in html


def test_the_owner_tells_once_that_a_line_is_out_of_stock(admin_client: Client, order: Order) -> None:
    page = reverse("admin:checkout_order_out_of_stock", args=[order.pk, order.lines.get().pk])

    preview = admin_client.post(page, {"note": "You get your money back.", "preview": "1"}).content.decode()
    assert "You get your money back." in preview and not CustomerMail.objects.exists()
    for _click in range(2):
        admin_client.post(page, {"note": "You get your money back."})

    mail = CustomerMail.objects.get()
    assert (mail.kind, mail.to) == ("out_of_stock", "ada@example.com")
    assert "once" in admin_client.get(page).content.decode()


def test_a_line_of_another_order_is_not_found(admin_client: Client, order: Order) -> None:
    other = Order.objects.create(currency="usd")

    page = reverse("admin:checkout_order_out_of_stock", args=[other.pk, order.lines.get().pk])

    assert admin_client.get(page).status_code == 404


def test_an_order_lists_its_mails(admin_client: Client, order: Order, mail: CustomerMail) -> None:
    page = admin_client.get(reverse("admin:checkout_order_change", args=[order.pk])).content.decode()

    assert reverse("admin:checkout_customermail_change", args=[mail.pk]) in page
    assert reverse("admin:checkout_order_out_of_stock", args=[order.pk, order.lines.get().pk]) in page


@pytest.mark.parametrize(
    "visit",
    [
        lambda client, mail: client.get(reverse("admin:checkout_customermail_preview", args=[mail.pk])),
        lambda client, mail: client.post(
            reverse("admin:checkout_customermail_again", args=[mail.pk]), {"to": "eve@example.com"}
        ),
        lambda client, mail: client.get(reverse("admin:checkout_mailtext_changelist")),
        lambda client, mail: client.post(text_page(), texts(heading="Mine")),
        lambda client, mail: client.get(
            reverse("admin:checkout_order_out_of_stock", args=[mail.order_id, mail.order.lines.get().pk])
        ),
    ],
)
def test_a_packer_neither_reads_nor_sends_mails(
    mail: CustomerMail, visit: Callable[[Client, CustomerMail], object]
) -> None:
    packer = User.objects.create_user("packer", is_staff=True)
    packer.user_permissions.add(Permission.objects.get(codename="pack_order"))
    client = Client()
    client.force_login(packer)

    assert visit(client, mail).status_code in (403, 404)  # type: ignore[attr-defined]

    assert not MailText.objects.exists()
    mail.refresh_from_db()
    assert mail.to == "ada@example.com"
