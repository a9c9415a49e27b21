//! What each thing that the till's door asks for comes to.

use super::owner::Owner;
use crate::till::command::Command;

impl Owner {
    pub(super) async fn command(&mut self, command: Command) {
        if self.stop_by.is_some() && command.begins_something() {
            // Whoever asks hears `stopping`, since the reply is dropped.
            return;
        }
        if command.begins_something() {
            self.updating.pressed();
        }
        // A reply that nobody waits for any more is not an error: the page went away.
        match command {
            Command::Sell { pressed, request, reply } => self.sell_or_wait(pressed, request, reply).await,
            Command::Quote { request, reply } => self.ask_quote(request, reply),
            Command::Press { pressed, payment, press, approval, reply } => {
                self.press(pressed, payment, press, (approval, reply)).await;
            }
            Command::Scan { pressed, text, reply } => self.scan(pressed, text, reply).await,
            Command::StopScan { pressed, reply } => {
                let _ = reply.send(self.stop_scan(pressed).await);
            }
            Command::StopCard { pressed, reply } => {
                let _ = reply.send(self.stop_card(pressed).await);
            }
            Command::Training { pressed, press, reply } => {
                let _ = reply.send(self.press_training(pressed, press).await);
            }
            Command::SellTraining { pressed, request, reply } => {
                let _ = reply.send(self.sell_training(pressed, request));
            }
            Command::PressOnTraining { pressed, number, press, reply } => {
                let _ = reply.send(self.press_on_training(pressed, number, press));
            }
            Command::TrainingSales { limit, reply } => {
                let _ = reply.send(self.training_views(limit));
            }
            Command::Hold { pressed, request, reply } => {
                let _ = reply.send(self.hold(pressed, request).await);
            }
            Command::Basket { pressed, request, reply } => {
                let _ = reply.send(self.press_basket(pressed, request).await);
            }
            Command::DropHeld { pressed, number, reply } => {
                let _ = reply.send(self.drop_held(pressed, number).await);
            }
            Command::Split { number, reply } => {
                let _ = reply.send(self.split_view(number).await);
            }
            Command::PressSplit { pressed, number, press, reply } => {
                let _ = reply.send(self.press_split(pressed, number, press).await);
            }
            Command::Shift { pressed, press, reply } => {
                let _ = reply.send(self.press_shift(pressed, press).await);
            }
            Command::ShiftNow { reply } => {
                let _ = reply.send(Ok(self.shift_now()));
            }
            Command::OpenDrawer { pressed, reply } => {
                let _ = reply.send(self.open_drawer(pressed).await);
            }
            Command::SelfTest { pressed, kind, reply } => {
                let _ = reply.send(self.self_test(pressed, kind).await);
            }
            Command::MayConfigure { pressed, reply } => {
                let _ = reply.send(self.may_configure(pressed).await);
            }
            Command::Configure { peripherals, reply } => {
                let _ = reply.send(self.configure(*peripherals));
            }
            Command::Restart { pressed, kind, reply } => {
                let _ = reply.send(self.restart_device(pressed, kind).await);
            }
            Command::Devices { reply } => {
                let _ = reply.send(Ok(self.devices_now()));
            }
            Command::Weigh { reply } => {
                let _ = reply.send(Ok(self.counter.weigh()));
            }
            Command::SyncNow { pressed, reply } => {
                let _ = reply.send(self.sync_now(pressed).await);
            }
            Command::Sale { payment, reply } => {
                let sale = self.view(payment).await;
                let _ = reply.send(sale);
            }
            Command::Sales { limit, reply } => {
                let sales = self.views(limit).await;
                let _ = reply.send(sales);
            }
            Command::SaleNumbered { counter, reply } => {
                let _ = reply.send(self.view_numbered(counter).await);
            }
            Command::State { reply } => {
                let _ = reply.send(Ok(self.state_now()));
            }
            Command::Display { reply } => {
                let _ = reply.send(Ok(self.display_now().1));
            }
            Command::Subscribe { reply } => {
                let _ = reply.send(Ok(self.subscription()));
            }
        }
    }
}
