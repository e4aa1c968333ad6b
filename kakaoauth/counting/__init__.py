"""How often something happened on a day, and how many people were here."""
