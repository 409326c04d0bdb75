"""The parameter tables of the Checkout Session calls.

Names as of API version 2026-10-28.endive: https://docs.stripe.com/api/checkout/sessions/create
"""

import re

from fake_stripe import params as p
from fake_stripe.resources import prices, shipping_rates

LINES = 100
WORDS = p.Text(max_length=100)
ALPHANUMERIC = re.compile(r"[A-Za-z0-9]+\Z")


def _name(max_length: int) -> p.Text:
    """The name of a custom field or of a dropdown option."""
    return p.Text(max_length=max_length, pattern=ALPHANUMERIC, problem="Only letters and digits are allowed")


PRODUCT_DATA = p.Shape(
    {
        "description": p.Text(max_length=40000),
        "images": p.ListOf(p.url(), max_length=8),
        "metadata": p.Metadata(),
        "name": p.Text(),
        "tax_code": p.Text(),
        "unit_label": p.Text(max_length=12),
    },
    required=("name",),
)
PRICE_DATA = p.Shape(
    {
        "currency": p.Currency(),
        "product": p.Text(),
        "product_data": PRODUCT_DATA,
        "recurring": prices.RECURRING,
        "tax_behavior": prices.TAX,
        "unit_amount": prices.AMOUNT,
        "unit_amount_decimal": p.DecimalText(),
    },
    required=("currency",),
    exclusive=("product", "product_data"),
)
ADJUSTABLE = p.Shape(
    {"enabled": p.Boolean(), "maximum": p.Integer(1, 999_999), "minimum": p.Integer(0, 999_999)},
    required=("enabled",),
)
LINE = p.Shape(
    {
        "adjustable_quantity": ADJUSTABLE,
        "dynamic_tax_rates": p.NotSupported("taxes"),
        "metadata": p.Metadata(),
        "price": p.Text(),
        "price_data": PRICE_DATA,
        "quantity": p.Integer(minimum=1, maximum=999_999),
        "tax_rates": p.NotSupported("taxes"),
    },
    exclusive=("price", "price_data"),
)
LENGTHS: dict[str, p.Kind] = {
    "default_value": p.Text(max_length=255),
    "maximum_length": p.Integer(1, 255),
    "minimum_length": p.Integer(1, 255),
}
DROPDOWN = p.Shape(
    {
        "default_value": WORDS,
        "options": p.ListOf(
            p.Shape({"label": WORDS, "value": _name(100)}, required=("label", "value")),
            max_length=200,
            minimum=1,
        ),
    },
    required=("options",),
)
CUSTOM_FIELD = p.Shape(
    {
        "dropdown": DROPDOWN,
        "key": _name(200),
        "label": p.Shape(
            {"custom": p.Text(max_length=50), "type": p.one_of("custom")}, required=("custom", "type")
        ),
        "numeric": p.Shape(LENGTHS),
        "optional": p.Boolean(),
        "text": p.Shape(LENGTHS),
        "type": p.one_of("dropdown", "numeric", "text"),
    },
    required=("key", "label", "type"),
)
MESSAGE = p.Shape({"message": p.Text(max_length=1200)}, required=("message",), unset=True)
CUSTOM_TEXT = p.Shape(
    dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance"), MESSAGE)
)
ADDRESS = p.Shape(
    {name: p.Text() for name in ("city", "country", "line1", "line2", "postal_code", "state")},
    required=("line1",),
)
FULL_ADDRESS = p.Shape(ADDRESS.fields, required=("country", "line1"))
PAYMENT_INTENT_DATA = p.Shape(
    {
        "application_fee_amount": p.NotSupported("Connect"),
        "capture_method": p.one_of("automatic", "automatic_async", "manual"),
        "description": p.Text(max_length=1000),
        "metadata": p.Metadata(),
        "on_behalf_of": p.NotSupported("Connect"),
        "receipt_email": p.email(),
        "setup_future_usage": p.one_of("off_session", "on_session"),
        "shipping": p.Shape(
            {
                "address": ADDRESS,
                "carrier": p.Text(),
                "name": p.Text(),
                "phone": p.Text(),
                "tracking_number": p.Text(),
            },
            required=("address", "name"),
        ),
        "statement_descriptor": p.Text(max_length=22),
        "statement_descriptor_suffix": p.Text(max_length=22),
        "transfer_data": p.NotSupported("Connect"),
        "transfer_group": p.Text(),
    }
)
SHIPPING_OPTION = p.Shape(
    {"shipping_rate": p.Text(), "shipping_rate_data": shipping_rates.DATA},
    exclusive=("shipping_rate", "shipping_rate_data"),
)
SHIPPING_OPTIONS = p.ListOf(SHIPPING_OPTION, max_length=5, unset=True)
ENABLED = p.Shape({"enabled": p.Boolean()}, required=("enabled",))
RECOVERY = p.Shape({"allow_promotion_codes": p.Boolean(), "enabled": p.Boolean()}, required=("enabled",))
UI_MODES = ("hosted_page", "embedded_page", "elements", "form")
BRAND_IMAGE = p.Shape({"file": p.Text(), "type": p.one_of("file", "url"), "url": p.url()}, required=("type",))


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


METHODS = p.ListOf(
    p.Enum(
        _words(
            "acss_debit affirm afterpay_clearpay alipay alma amazon_pay au_becs_debit bacs_debit bancontact "
            "billie bizum blik boleto card cashapp crypto customer_balance eps fpx giropay grabpay ideal "
            "kakao_pay klarna konbini kr_card link mb_way mobilepay multibanco naver_pay nz_bank_account oxxo "
            "p24 pay_by_bank payco paynow paypal paypay payto pix promptpay revolut_pay samsung_pay satispay "
            "scalapay sepa_debit sequra sofort sunbit swish twint upi us_bank_account wechat_pay zip"
        )
    )
)
LOCALES = _words(
    "auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hi-IN hr hu id it ja ko lt lv ms "
    "mt nb nl pl pt pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW "
)
COUNTRIES = _words(
    "AC AD AE AF AG AI AL AM AO AQ AR AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY BZ CA CD CF CG CH CI CK CL CM CN CO CR CV CW CY CZ DE DJ DK DM DO DZ EC EE EG "
    "EH ER ES ET FI FJ FK FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HN HR "
    "HT HU ID IE IL IM IN IO IQ IS IT JE JM JO JP KE KG KH KI KM KN KR KW KY KZ LA LB LC LI LK LR "
    "LS LT LU LV LY MA MC MD ME MF MG MK ML MM MN MO MQ MR MS MT MU MV MW MX MY MZ NA NC NE NG NI "
    "NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PY QA RE RO RS RU RW SA SB SC SD SE "
    "SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SZ TA TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW "
    "TZ UA UG US UY UZ VA VC VE VG VN VU WF WS XK YE YT ZA ZM ZW ZZ "
)
COUNTRY = p.Enum(COUNTRIES)
# Parameters that Stripe accepts and the fake refuses with a message.
NOT_SUPPORTED = {
    "customer": p.NotSupported("customers"),
    "customer_account": p.NotSupported("customers"),
    "customer_update": p.NotSupported("customers"),
    "discounts": p.NotSupported("coupons and promotion codes"),
    "managed_payments": p.NotSupported("managed payments"),
    "name_collection": p.NotSupported("the collection of names"),
    "optional_items": p.NotSupported("optional items"),
    "payment_method_collection": p.NotSupported("subscriptions"),
    "payment_method_configuration": p.NotSupported("payment method configurations"),
    "payment_method_data": p.NotSupported("options of payment methods"),
    "payment_method_options": p.NotSupported("options of payment methods"),
    "saved_payment_method_options": p.NotSupported("customers"),
    "setup_intent_data": p.NotSupported("`setup` mode"),
    "subscription_data": p.NotSupported("subscriptions"),
    "wallet_options": p.NotSupported("wallets"),
}

CREATE = p.body(
    NOT_SUPPORTED,
    required=["mode"],
    adaptive_pricing=p.Shape({"enabled": p.Boolean()}),
    after_expiration=p.Shape({"recovery": RECOVERY}),
    allow_promotion_codes=p.Boolean(),
    allowed_payment_method_types=METHODS,
    automatic_tax=ENABLED,
    billing_address_collection=p.one_of("auto", "required"),
    branding_settings=p.Shape(
        {
            "background_color": p.Text(unset=True),
            "border_style": p.one_of("pill", "rectangular", "rounded", unset=True),
            "button_color": p.Text(unset=True),
            "display_name": p.Text(),
            "font_family": p.Text(unset=True),
            "icon": BRAND_IMAGE,
            "logo": BRAND_IMAGE,
        },
        exclusive=("icon", "logo"),
    ),
    cancel_url=p.url(),
    client_reference_id=p.Text(max_length=200),
    consent_collection=p.Shape(
        {
            "payment_method_reuse_agreement": p.Shape(
                {"position": p.one_of("auto", "hidden")}, required=("position",)
            ),
            "promotions": p.one_of("auto", "none"),
            "terms_of_service": p.one_of("none", "required"),
        }
    ),
    currency=p.Currency(),
    custom_fields=p.ListOf(CUSTOM_FIELD, max_length=3),
    custom_text=CUSTOM_TEXT,
    customer_creation=p.one_of("always", "if_required"),
    customer_email=p.email(),
    excluded_payment_method_types=METHODS,
    expires_at=p.Integer(),
    integration_identifier=p.Text(max_length=200),
    invoice_creation=ENABLED,
    line_items=p.ListOf(LINE, max_length=LINES),
    locale=p.one_of(*LOCALES),
    metadata=p.Metadata(),
    mode=p.one_of("payment", "setup", "subscription"),
    origin_context=p.one_of("mobile_app", "web"),
    payment_intent_data=PAYMENT_INTENT_DATA,
    payment_method_types=METHODS,
    permissions=p.Shape({"update_shipping_details": p.one_of("client_only", "server_only")}),
    phone_number_collection=ENABLED,
    redirect_on_completion=p.one_of("always", "if_required", "never"),
    return_url=p.url(),
    shipping_address_collection=p.Shape(
        {"allowed_countries": p.ListOf(COUNTRY, minimum=1)}, required=("allowed_countries",)
    ),
    shipping_options=SHIPPING_OPTIONS,
    submit_type=p.one_of("auto", "book", "donate", "pay", "subscribe"),
    success_url=p.url(),
    tax_id_collection=p.Shape(
        {"enabled": p.Boolean(), "required": p.one_of("if_supported", "never")}, required=("enabled",)
    ),
    ui_mode=p.one_of(*UI_MODES),
)
UPDATE = p.body(
    collected_information=p.Shape(
        {
            "shipping_details": p.Shape(
                {"address": FULL_ADDRESS, "name": p.Text(max_length=255)}, required=("address", "name")
            )
        }
    ),
    line_items=p.ListOf(p.Shape({**LINE.fields, "id": p.Text()}), max_length=LINES),
    metadata=p.Metadata(),
    shipping_options=SHIPPING_OPTIONS,
)
LIST = p.listing(
    created=p.CREATED,
    customer=p.Text(),
    customer_account=p.Text(),
    customer_details=p.Shape({"email": p.Text()}, required=("email",)),
    payment_intent=p.Text(),
    payment_link=p.Text(),
    status=p.one_of("complete", "expired", "open"),
    subscription=p.Text(),
)
LINE_ITEMS = p.listing()
EXPIRE = p.body()
