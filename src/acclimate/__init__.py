"""acclimate: take what your models know into a new market, and prove whether it helped."""

__version__ = "0.1.0"
