"""Attacks, a file each: every one gives each image one score, larger for an image that looks trained on."""
