-- The tokens of its owner's that are held for it until it ends; NULL when they are not counted.
ALTER TABLE jobs ADD COLUMN tokens_held INTEGER;
