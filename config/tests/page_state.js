// All of the page on which the outcome of axe depends, as text. Of what differs in each run (keys, tokens, times), it has only
// what axe can see: in the page's text the length, in references which are equal.
() => {
    const REFERENCE = /^(aria-(controls|describedby|labelledby|owns)|for|id|list|name)$/;
    const NEW_IN_EACH_RUN =
        /^(action|alt|aria-label|content|data-.*|datetime|formaction|href|integrity|max|min|nonce|placeholder|src|srcset|title|value)$/;
    const STATES = ["checked", "focus", "focus-visible", "hover", "indeterminate", "invalid", "modal", "popover-open"];
    const MEDIA = ["prefers-color-scheme: dark", "prefers-reduced-motion: reduce", "hover", "pointer: coarse"];
    const WITH_DIGIT = /[\w-]*\d[\w-]*/g;
    const places = new Map();
    const place = (word) => places.get(word) ?? places.set(word, places.size).get(word);
    const attribute = ({ name, value, ownerElement }) => {
        // How far the page may be enlarged, and when it is loaded again.
        if (ownerElement.matches("meta[name=viewport], meta[http-equiv]")) return `${name}=${value}`;
        if (REFERENCE.test(name)) return `${name}=${value.replace(WITH_DIGIT, place)}`;
        return `${name}=${NEW_IN_EACH_RUN.test(name) ? value.replace(WITH_DIGIT, "#") : value}`;
    };
    const shown = (text) => text.replace(WITH_DIGIT, (word) => "#".repeat(word.length));
    const written = (node) => {
        if (node.nodeType === Node.TEXT_NODE) return shown(node.data);
        if (node.nodeType !== Node.ELEMENT_NODE) return "";
        const tag = node.localName;
        if (tag === "script" || node.type === "hidden") return "";
        const attributes = [...node.attributes].map(attribute).join(" ");
        const state = tag === "img" ? [node.naturalWidth, node.naturalHeight] : shown(String(node.value ?? ""));
        const content = tag === "style" ? node.textContent : [...node.childNodes].map(written).join("");
        return `<${tag} ${attributes} ${state}>${content}</${tag}>`;
    };
    const all = [...document.querySelectorAll("*")];
    return JSON.stringify([
        [innerWidth, innerHeight, devicePixelRatio, scrollX, scrollY],
        MEDIA.map((query) => matchMedia(`(${query})`).matches),
        [...document.styleSheets].map((sheet) => [sheet.disabled, sheet.media.mediaText, sheet.cssRules.length]),
        STATES.map((state) => all.flatMap((element, index) => (element.matches(`:${state}`) ? [index] : []))),
        written(document.documentElement),
    ]);
}
