"""Reading text with the PP-OCRv6 networks: find lines, turn them upright, read them, put them in order.

Before and after the networks it does what PaddleOCR (Apache-2.0) and RapidOCR (Apache-2.0) do, with three
differences: pages of any size are worked on in tiles, so that memory stays bounded; nothing is kept between
calls, so that several threads may read; and lines written downwards are recognised as such.
"""
