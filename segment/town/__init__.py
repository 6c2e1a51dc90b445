"""The town of `segment.sample`: districts planned in metres, squares painted in pixels."""
