import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { homeOf, may, type Right, type Role } from './rights';

const CORE = readFileSync(new URL('../../server/src/http/auth/rights.rs', import.meta.url), 'utf8');
const TABLES: Readonly<Record<Role, string>> = {
  owner: 'OWNER', manager: 'MANAGER', cashier: 'CASHIER', accountant: 'ACCOUNTANT', read_only: 'READ_ONLY',
  plugin_publisher: 'PUBLISHER', platform_admin: 'PLATFORM', acceptor: 'ACCEPTOR',
};
const NAMES: Readonly<Record<Right, string>> = {
  read_payments: 'ReadPayments', read_books: 'ReadBooks', reconcile: 'Reconcile', manage_cashiers: 'ManageCashiers', manage_stores: 'ManageStores', manage_goods: 'ManageGoods',
  read_audit: 'ReadAudit', manage_fleet: 'ManageFleet',
  manage_channels: 'ManageChannels', publish_plugins: 'PublishPlugins', manage_plugins: 'ManagePlugins', manage_people: 'ManagePeople',
  read_stored_value: 'ReadStoredValue', serve_stored_value: 'ServeStoredValue', manage_stored_value: 'ManageStoredValue',
};

test.each(Object.entries(TABLES))('%s may do here what core lets it', (role, table) => {
  const rights = new RegExp(`const ${table}: &\\[Right\\] =\\s*&\\[([^\\]]*)\\]`).exec(CORE)?.[1];
  expect(rights).toContain('Right::OwnSession');
  for (const [right, name] of Object.entries(NAMES)) {
    expect(may(role as Role, right as Right), right).toBe(new RegExp(`Right::${name}\\b`).test(rights ?? ''));
  }
});

test.each([
  ['owner', '/payments'], ['read_only', '/payments'], ['platform_admin', '/plugins'], ['plugin_publisher', '/plugins'], ['acceptor', null],
] as const)('%s begins at %s', (role, home) => {
  expect(homeOf(role)).toBe(home);
});
