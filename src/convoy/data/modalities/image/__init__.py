"""Pictures: decoded, brought to one size, kept as uint8 (N, H, W, C)."""
