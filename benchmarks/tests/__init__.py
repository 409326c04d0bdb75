"""Quick tests of the measuring itself: a judge that finds no fault in a faulty shop is broken."""
