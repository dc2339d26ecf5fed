"""From messages to text a language model can use. Pure: no database, no network, no clock of its own."""
