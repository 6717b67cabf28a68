-- Forget the reader's errors once they are noted, so that the next table starts from none.
DELETE FROM reject_errors;
