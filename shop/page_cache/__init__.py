"""Cached pages of the shop (docs/decisions/0009-pages-are-cached-as-rendered.md).

rows fetches what a page shows with cached SQL, fragments keeps rendered HTML, render puts the page together.
"""

from shop.page_cache.render import no_cache, render_cached_page
from shop.page_cache.rows import ProductRows, fetch_detail, fetch_list

__all__ = ["ProductRows", "fetch_detail", "fetch_list", "no_cache", "render_cached_page"]
