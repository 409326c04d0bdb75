"""Mails to customers.

Whatever happens to an order queues a row of CustomerMail in its own transaction (outbox.queue); a worker task sends what is
due (sending.send_due). Owners may replace the wording of a mail (texts), and switch kinds off (CUSTOMER_MAILS_OFF).

To add a kind:

1. Add a MailKind to KINDS in kinds.py. Its texts are marked with gettext_noop and may have placeholders, `{order}`.
2. Add templates/checkout/mail/KIND.html and KIND.txt, which extend base.html and base.txt. They see the row's `context`,
   and those of mails about an order also what facts.order_facts returns.
3. Call `outbox.queue("KIND", reference=..., to=..., context={...})` where the happening is committed. The reference makes
   it idempotent: a second call with the same one does nothing.
"""
