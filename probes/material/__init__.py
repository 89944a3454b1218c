"""Material of the kinds that attacks use, which no attack published: alternatives that a trigger is held against."""
