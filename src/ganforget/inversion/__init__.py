"""Inversion: the latents of given images."""

from ganforget.inversion.invert import Inversion, InversionConfig, invert, reconstruction_error

__all__ = ["Inversion", "InversionConfig", "invert", "reconstruction_error"]
