"""Rows of tables: numbers, categories, booleans and dates, brought to numbers as the training split says."""
