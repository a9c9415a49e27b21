// The live stream's news, taken into the answers that the rooms hold.

import { type InfiniteData, type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import type { Payment, PaymentPage, Timeline } from './api/client';
import type { ServerEvent } from './api/sse';
import { follow, type StreamStatus } from './api/stream';
import { type Filter, isPaymentNews, mergeIntoPages } from './payments';

export const STREAM_PATH = '/v1/stream';

/** Follows the stream while the caller is on the screen; the status is for the header. */
export function useLive(wanted: boolean): StreamStatus {
  const queryClient = useQueryClient();
  const [status, setStatus] = useState<StreamStatus>('connecting');
  useEffect(() => {
    if (!wanted) return;
    return follow(STREAM_PATH, {
      onEvent: (event) => takeIn(queryClient, event),
      onStatus: (next) => {
        setStatus(next);
        // What happened while nobody listened is asked for: before the first connection too, since lists are older than it.
        if (next === 'live') void queryClient.invalidateQueries();
      },
    });
  }, [wanted, queryClient]);
  return status;
}

function takeIn(queryClient: QueryClient, event: ServerEvent): void {
  const data = parsed(event.data);
  if (event.type === 'payment' && isPaymentNews(data)) takePayment(queryClient, data.payment);
  // News of a kind or shape that this page does not know: whatever it is about is asked for again.
  else void queryClient.invalidateQueries();
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function takePayment(queryClient: QueryClient, news: Payment): void {
  const lists = queryClient.getQueriesData<InfiniteData<PaymentPage>>({ queryKey: ['payments'] });
  for (const [key, data] of lists) {
    // Who is called for what the server alone says: the list is asked for anew.
    const isServers = key[1] === 'attention';
    // An answer that is under way may be older than the news, and would take its place.
    const isUnderWay = queryClient.getQueryState(key)?.fetchStatus === 'fetching';
    if (data !== undefined && !isServers) {
      queryClient.setQueryData(key, { ...data, pages: mergeIntoPages(data.pages, news, key[1] as Filter) });
    }
    if (isServers || isUnderWay) void queryClient.invalidateQueries({ queryKey: key });
  }
  const open = queryClient.getQueryData<Timeline>(['payment', news.id]);
  if (open !== undefined && open.payment.version <= news.version) {
    queryClient.setQueryData<Timeline>(['payment', news.id], { ...open, payment: news });
  }
  void queryClient.invalidateQueries({ queryKey: ['payment', news.id] });
  void queryClient.invalidateQueries({ queryKey: ['books'] });
}
