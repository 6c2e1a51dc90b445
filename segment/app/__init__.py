"""The app: a local web page that labels images and maps scenes. The one place where both packages meet."""
