"""Form fields with label, hint and error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fake_stripe.pages.html import NOTHING, Markup, attributes, escape, fill, join

Errors = Mapping[str, str]
Choice = tuple[str, str]


def text_field(
    name: str,
    label: str,
    value: str = "",
    *,
    errors: Errors | None = None,
    hint: str = "",
    width: str = "",
    optional: bool = False,
    look: str | None = None,
    **more: object,
) -> Markup:
    """An input. `look` is its CSS class, `more` its other attributes, with _ for -."""
    message = (errors or {}).get(name, "")
    given = {key.replace("_", "-"): item for key, item in more.items()}
    standard = {"id": name, "name": name, "class": look, "value": value, "required": not optional}
    control = Markup(f"<input{attributes(standard | _described(name, message, hint) | given)}>")
    return _field(name, _label(label, optional), control, message, hint, width)


def area(name: str, label: str, value: str, *, hint: str = "", errors: Errors | None = None) -> Markup:
    """A textarea. Browsers drop the line break after its opening tag."""
    message = (errors or {}).get(name, "")
    given = attributes({"id": name, "name": name, **_described(name, message, hint)})
    control = Markup(f"<textarea{given}>\n{escape(value)}</textarea>")
    return _field(name, label, control, message, hint, "")


def select(
    name: str,
    label: str,
    choices: Iterable[Choice],
    chosen: str = "",
    *,
    errors: Errors | None = None,
    width: str = "",
    hint: str = "",
    **more: object,
) -> Markup:
    """A select; `choices` are (value, text)."""
    message = (errors or {}).get(name, "")
    options = join(
        Markup(f"<option{attributes({'value': value, 'selected': value == chosen})}>{escape(text)}</option>")
        for value, text in choices
    )
    given = {key.replace("_", "-"): item for key, item in more.items()}
    control = attributes({"id": name, "name": name, **_described(name, message, hint), **given})
    return _field(name, label, Markup(f"<select{control}>{options}</select>"), message, hint, width)


def hidden(name: str, value: str) -> Markup:
    return Markup(f"<input{attributes({'type': 'hidden', 'name': name, 'value': value})}>")


def check(name: str, label: str, *, checked: bool = False, value: str = "yes") -> Markup:
    """A checkbox inside its label."""
    given = attributes({"type": "checkbox", "name": name, "value": value, "checked": checked})
    return Markup(f'<label class="check"><input{given}><span>{escape(label)}</span></label>')


def _label(text: str, optional: bool) -> Markup:
    return Markup(f'{escape(text)} <span class="soft">(optional)</span>') if optional else escape(text)


def _described(name: str, message: str, hint: str) -> dict[str, object]:
    details = [f"{name}-hint"] * bool(hint) + [f"{name}-error"] * bool(message)
    return {"aria-describedby": " ".join(details) or None, "aria-invalid": "true" if message else None}


def _field(name: str, label: str, control: Markup, message: str, hint: str, width: str) -> Markup:
    return fill(
        "_field",
        id=name,
        label=label,
        control=control,
        width=width and f" field-{width}",
        hint=Markup(f'<p class="hint" id="{escape(name)}-hint">{escape(hint)}</p>') if hint else NOTHING,
        error=Markup(f'<p class="error" id="{escape(name)}-error">{escape(message)}</p>')
        if message
        else NOTHING,
    )
