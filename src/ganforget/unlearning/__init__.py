"""Unlearning: the losses, the cascade and its presets."""
