#!/usr/bin/env bash
# Django 6.1.3 on Python 3.12 and 3.13: a List-Unsubscribe header of more than 77 characters is sent as encoded words.
#
# Guess: a URL between angle brackets in a header is sent as it is, as Django 5.2 does. RFC 2369 wants exactly that, and RFC
# 8058 makes mail programs post to this address.
# Seen: Django 6 builds mails with Python's EmailMessage. Its folding cannot break a URL, so it encodes it:
# `List-Unsubscribe: =?utf-8?q?=3Chttps=3A//shop=2Eexample/...`. RFC 2047 forbids encoded words there, and a mail program
# that does not decode them shows no unsubscribe button. One character less, and the header is right.
#
# The shop runs on Django 5.2. Its signed links are longer than that, and a test checks the header of the finished mail.
set -euo pipefail
python=
for candidate in python3.14 python3.13 python3.12 "$HOME"/.pyenv/versions/3.1[234]*/bin/python; do
    "$candidate" -c '' 2>/dev/null && python=$candidate && break
done
[ -n "$python" ] || { echo "Django 6 needs Python 3.12 or newer, which was not found." >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > run.py <<'PY'
import django
from django.conf import settings
from django.core.mail import EmailMessage

settings.configure()
django.setup()
print("Django", django.__version__)
for length in (60, 75, 76, 120):
    url = "https://shop.example/stop/" + "n" * (length - 26)
    mail = EmailMessage("Back", "M is back.", "shop@shop.example", ["eva@example.com"],
                        headers={"List-Unsubscribe": f"<{url}>"})
    lines = mail.message().as_bytes().decode().replace("\n ", " ").splitlines()
    header = next(line for line in lines if line.startswith("List-Unsubscribe:"))
    print(length, "characters:", "as written" if f"<{url}>" in header else header[:60])
PY
for version in 5.2.8 6.1.3; do
    "$python" -m venv --clear venv
    venv/bin/pip -q install --disable-pip-version-check "django==$version"
    venv/bin/python run.py | tee -a seen.txt
done
[ "$(grep -c 'as written' seen.txt)" = 6 ]
grep -A 4 '^Django 5.2.8$' seen.txt | grep -q '^120 characters: as written$'
grep -A 4 '^Django 6.1.3$' seen.txt | grep -q '^120 characters: List-Unsubscribe: =?utf-8?q?=3Chttps=3A//shop=2Eexample'
echo "as described"
