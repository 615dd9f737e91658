"""The Faust application and every adapter. Decides nothing about business values."""
