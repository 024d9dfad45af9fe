"""convoy: from a folder of labelled images to a registered model that can be proven."""

__version__ = "0.1.0"
__all__ = ["__version__"]
