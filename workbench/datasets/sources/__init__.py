"""Data sources - folders, CSV files, npz files, the catalogue - behind one interface."""
