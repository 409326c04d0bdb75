#!/usr/bin/env bash
# Babel 2.18.0: format_currency rounds away cents that Stripe charges.
#
# Guess: a currency has one number of decimals, so the amount that Stripe charges can be shown by any formatter.
# Seen: Babel follows CLDR's cash usage. CLDR gives the Serbian dinar, the Lao kip, the Albanian lek and others 0 decimals,
# so 12.50 is shown as 12 (half to even) and 1.99 as 2. Stripe has two decimals for these currencies (its list of zero-decimal
# currencies has none of them, https://docs.stripe.com/currencies#zero-decimal, read 2026-11-28): unit_amount 199 in rsd is
# charged as 1.99. With currency_digits=False the decimals of the number pattern are used instead.
#
# The shop's shop/money.py has Stripe's decimals and passes currency_digits=False.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check 'babel==2.18.0'
cat > run.py <<'PY'
from decimal import Decimal

import babel
from babel.numbers import format_currency

print("Babel", babel.__version__)
for code in ("RSD", "LAK", "ALL", "EUR"):
    charged = Decimal("1.99")
    plain = format_currency(charged, code, locale="en")
    kept = format_currency(charged, code, locale="en", currency_digits=False)
    print(code, charged, "is shown as", plain.replace("\N{NO-BREAK SPACE}", ""), "and without currency_digits as",
          kept.replace("\N{NO-BREAK SPACE}", ""))
PY
venv/bin/python run.py | tee seen.txt
grep -q '^RSD 1.99 is shown as RSD2 and without currency_digits as RSD1.99$' seen.txt
grep -q '^LAK 1.99 is shown as LAK2 ' seen.txt
grep -q '^ALL 1.99 is shown as ALL2 ' seen.txt
grep -q '^EUR 1.99 is shown as €1.99 ' seen.txt
echo "as described"
