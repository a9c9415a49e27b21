// Which rooms and buttons a role is shown. Core decides; this keeps away what it would refuse. rights.test.ts holds it to
// core/server/src/http/auth/rights.rs.

import type { Person } from './api/session';

export type Role = Person['role'];
export type Right = 'read_books' | 'reconcile' | 'manage_cashiers';

const HAVE: Readonly<Record<Right, readonly Role[]>> = {
  read_books: ['owner', 'manager', 'accountant'],
  reconcile: ['owner', 'accountant'],
  manage_cashiers: ['owner', 'manager'],
};

export function may(role: Role, right: Right): boolean {
  return HAVE[right].includes(role);
}
