"""A local web page that labels images and maps scenes.

The only place where `segment` and `classify` are used together.
"""
