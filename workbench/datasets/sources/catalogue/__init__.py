"""Well-known image data sets: their files, downloads and conversions."""
