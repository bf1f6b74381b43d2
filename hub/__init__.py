"""Social Care Hub: what customers write on social networks becomes tickets; what agents answer goes back."""

__version__ = "0.1.0"
