"""ONNX Runtime, one text at a time, behind the minimal server."""

from .minimal import serve
from .order import Order
from .padded import Padded

if __name__ == "__main__":
    order = Order.read()
    serve(order, Padded(order).score)
