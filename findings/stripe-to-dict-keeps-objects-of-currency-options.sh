#!/usr/bin/env bash
# stripe (Python) 16.1.0: to_dict() of a shipping rate leaves objects inside its currency options.
#
# Guess: to_dict() "recurses by default" (its docstring), so everything below is plain, as it is for a Price, whose field
# has the same name.
# Seen: a Price's currency_options are one StripeObject, and to_dict() makes dicts of it and of each option. A shipping rate's are
# a dict of StripeObjects, which to_dict() does not enter, with for_json=True neither: json.dumps raises TypeError, and the
# options have no .get().
#
# The shop's shop/gateway.py reads the options by attributes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check 'stripe==16.1.0'
cat > run.py <<'PY'
import json

import stripe

print("stripe", stripe.VERSION)
options = {"eur": {"tax_behavior": "exclusive"}}
price = {"object": "price", "currency_options": {"eur": {"unit_amount": 2300, **options["eur"]}}}
rate = {"object": "shipping_rate", "fixed_amount": {"currency_options": {"eur": {"amount": 450, **options["eur"]}}}}
for for_json in (False, True):
    made = stripe.Price.construct_from(price, "sk_test_x").to_dict(for_json=for_json)
    print("price:", for_json, type(made["currency_options"]["eur"]).__name__)
    made = stripe.ShippingRate.construct_from(rate, "sk_test_x").to_dict(for_json=for_json)
    print("rate:", for_json, type(made["fixed_amount"]["currency_options"]["eur"]).__name__)
    try:
        json.dumps(made)
    except TypeError as exc:
        print("json:", for_json, exc)
PY
venv/bin/python run.py | tee seen.txt
for flag in False True; do
  grep -q "^price: $flag dict$" seen.txt
  grep -q "^rate: $flag CurrencyOptions$" seen.txt
  grep -q "^json: $flag Object of type CurrencyOptions is not JSON serializable$" seen.txt
done
echo "as described"
