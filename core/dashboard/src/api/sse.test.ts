import { expect, test } from 'vitest';
import { type ServerEvent, SseParser } from './sse';

function parse(pieces: string[]): { events: ServerEvent[]; parser: SseParser } {
  const events: ServerEvent[] = [];
  const parser = new SseParser((event) => events.push(event));
  for (const piece of pieces) parser.push(piece);
  return { events, parser };
}

const STREAM =
  '\uFEFF: hello\r\n\r\nid: 7\r\nevent: payment\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata:x\n\nretry: 2500\rid\rdata\r\rdata: lost';

test('fields, comments, several data lines, all three line ends', () => {
  const { events, parser } = parse([STREAM]);
  expect(events).toEqual([
    { type: 'payment', data: '{"a":\n1}', id: '7' },
    { type: 'message', data: 'x', id: '7' },
    { type: 'message', data: '', id: '' },
  ]);
  expect(parser.retryMs).toBe(2500);
});

test('where the pieces are cut makes no difference', () => {
  const whole = parse([STREAM]).events;
  for (let cut = 0; cut <= STREAM.length; cut += 1) {
    expect(parse([STREAM.slice(0, cut), STREAM.slice(cut)]).events).toEqual(whole);
  }
  expect(parse([...STREAM]).events).toEqual(whole);
});

test('an id with a null character and a retry that is no number are ignored', () => {
  const { events, parser } = parse(['id: 3\nid: 4\0\nretry: 1s\nunknown: x\ndata: y\n\n']);
  expect(events).toEqual([{ type: 'message', data: 'y', id: '3' }]);
  expect(parser.retryMs).toBeNull();
});

test('an event without data says nothing, and its name does not leak into the next', () => {
  expect(parse(['event: payment\nid: 9\n\ndata: y\n\n']).events).toEqual([{ type: 'message', data: 'y', id: '9' }]);
});
