"""URLs of cart and checkout."""

from django.urls import path

from checkout import order_pages, restock_pages, views

urlpatterns = [
    path("cart/", views.show_cart, name="cart"),
    path("cart/add/", views.add, name="cart_add"),
    path("cart/change/", views.change, name="cart_change"),
    path("checkout/", views.checkout, name="checkout_start"),
    path("checkout/thank-you/", views.thank_you, name="thank_you"),
    path("checkout/cancelled/", views.canceled, name="checkout_canceled"),
    path("order/find/", order_pages.find_page, name="order_find"),
    path("order/link-sent/", order_pages.link_sent_page, name="order_link_sent"),
    path("order/<str:token>/", order_pages.order_page, name="order_page"),
    path("order/<str:token>/cancel/", order_pages.cancel_page, name="order_cancel"),
    path("order/<str:token>/return/", order_pages.return_page, name="order_return"),
    path("order/<str:token>/withdraw/", order_pages.withdraw_page, name="order_withdraw"),
    path("restock/confirm/<str:token>/", restock_pages.confirm, name="restock_confirm"),
    path("restock/stop/<str:token>/", restock_pages.stop, name="restock_stop"),
    # Last, because product ids can be chosen freely at Stripe and may contain a slash.
    path("restock/<path:product_id>/", restock_pages.restock, name="restock"),
]
