// Which rooms and buttons a role is shown. Core decides; this keeps away what it would refuse. rights.test.ts holds it to
// core/server/src/http/auth/rights.rs.

import type { Person } from './api/session';

export type Role = Person['role'];
export type Right = 'read_payments' | 'read_books' | 'reconcile' | 'read_audit' | 'manage_fleet' | 'manage_stores' | 'manage_goods' | 'manage_cashiers' | 'manage_channels' | 'publish_plugins' | 'manage_plugins' | 'manage_people'
  | 'read_stored_value' | 'serve_stored_value' | 'manage_stored_value';

const HAVE: Readonly<Record<Right, readonly Role[]>> = {
  read_payments: ['owner', 'manager', 'cashier', 'accountant', 'read_only'],
  read_books: ['owner', 'manager', 'accountant'],
  reconcile: ['owner', 'accountant'],
  read_audit: ['owner', 'accountant', 'platform_admin'],
  manage_fleet: ['owner', 'manager'],
  manage_stores: ['owner', 'manager'],
  manage_goods: ['owner', 'manager'],
  manage_cashiers: ['owner', 'manager'],
  manage_channels: ['owner'],
  publish_plugins: ['owner', 'plugin_publisher', 'platform_admin'],
  manage_plugins: ['owner', 'platform_admin'],
  manage_people: ['owner'],
  read_stored_value: ['owner', 'manager', 'cashier', 'accountant'],
  serve_stored_value: ['owner', 'manager', 'cashier'],
  manage_stored_value: ['owner', 'manager'],
};

export function may(role: Role, right: Right): boolean {
  return HAVE[right].includes(role);
}

/** Where a role begins its day; null if no room here is for it. */
export function homeOf(role: Role): string | null {
  if (may(role, 'read_payments')) return '/payments';
  return may(role, 'publish_plugins') ? '/plugins' : null;
}
