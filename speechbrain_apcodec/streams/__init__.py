"""Time: what layers see of it, and streams of it through a codec."""
