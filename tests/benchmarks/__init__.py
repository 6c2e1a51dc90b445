"""What measures: `make bench`. Each prints one line of JSON per figure; contestants take turns within one run."""
