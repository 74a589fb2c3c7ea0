"""Values to text: plots, bars, tables. No Textual."""
