"""What is stored: the bitstream and the coding of whole files."""
