/// <reference path="./contract.d.ts" />
/// <reference path="./tables.d.ts" />
