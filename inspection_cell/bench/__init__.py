"""The product's numbers, each measured with its peer in one run on one machine."""
