"""Cached pages of the shop: `render_cached_page` is the one entry (docs/decisions/0009-pages-are-cached-as-rendered.md).

rows fetches what a page shows with cached SQL, fragments keeps rendered HTML, render puts the page together.
"""
