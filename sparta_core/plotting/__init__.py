"""Maps and curves; drawing only, no numbers are made here."""
