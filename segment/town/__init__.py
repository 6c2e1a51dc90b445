"""The town that `segment.sample` shows: planned in metres by district, painted in pixels by square."""
