"""Image files: formats, headers, decoding, and images with 16 bits a channel."""
