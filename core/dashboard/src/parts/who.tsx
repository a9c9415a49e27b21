import type { Person } from '../api/session';
import { may } from '../rights';
import { useColleagues } from '../rooms/reconciliation';
import { useText } from '../text/text';

/** Who did it: the reader, a colleague by name, anybody else by id. */
export function Who({ id, person }: { id: string; person: Person }) {
  const { t } = useText();
  if (id === person.id) return t.common.you;
  return may(person.role, 'read_books') ? <Colleague id={id} /> : id;
}

function Colleague({ id }: { id: string }) {
  return useColleagues().name(id);
}
