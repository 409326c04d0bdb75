"""Orders, the stock they are taken from, and a row for each sale."""

from django.db import models


class Stock(models.Model):
    product = models.CharField(max_length=255)
    size = models.CharField(max_length=50)
    on_hand = models.IntegerField()

    class Meta:
        app_label = "sales"
        constraints = [models.UniqueConstraint(fields=["product", "size"], name="one_row_for_a_size")]

    def __str__(self) -> str:
        return f"{self.product} {self.size}"


class Order(models.Model):
    session_id = models.CharField(max_length=255, unique=True)
    state = models.CharField(max_length=10, default="open")
    paid_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "sales"

    def __str__(self) -> str:
        return self.session_id


class Line(models.Model):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    stock = models.ForeignKey(Stock, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField()

    class Meta:
        app_label = "sales"

    def __str__(self) -> str:
        return f"{self.quantity} of {self.stock}"


class Movement(models.Model):
    line = models.OneToOneField(Line, on_delete=models.PROTECT)  # A line is sold once.
    stock = models.ForeignKey(Stock, on_delete=models.PROTECT)
    delta = models.IntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "sales"

    def __str__(self) -> str:
        return f"{self.delta} of {self.stock}"
