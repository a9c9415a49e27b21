DROP TABLE signers;
DROP TABLE signatures;
