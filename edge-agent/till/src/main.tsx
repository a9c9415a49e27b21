import { render } from 'preact';
import { listen } from './keyboard';
import { start } from './store';
import { Till } from './till';

start();
listen();
const root = document.getElementById('root');
if (root !== null) render(<Till />, root);
