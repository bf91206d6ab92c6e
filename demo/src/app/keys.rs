//! Which key does what.

use winit::event::{ElementState, KeyEvent};
use winit::keyboard::{KeyCode, PhysicalKey};

use crate::cli::StrategyName;

/// What a key press asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Quit,
    Pause,
    Screenshot,
    Strategy(StrategyName),
}

/// The action of a key, when it goes down and not while it is held.
pub(super) fn action(event: &KeyEvent) -> Option<Action> {
    if event.state != ElementState::Pressed || event.repeat {
        return None;
    }
    match event.physical_key {
        PhysicalKey::Code(code) => of_key(code),
        PhysicalKey::Unidentified(_) => None,
    }
}

fn of_key(code: KeyCode) -> Option<Action> {
    let strategy = |index: usize| StrategyName::ALL.get(index).copied().map(Action::Strategy);
    match code {
        KeyCode::Escape => Some(Action::Quit),
        KeyCode::Space => Some(Action::Pause),
        KeyCode::F12 => Some(Action::Screenshot),
        KeyCode::Digit1 | KeyCode::Numpad1 => strategy(0),
        KeyCode::Digit2 | KeyCode::Numpad2 => strategy(1),
        KeyCode::Digit3 | KeyCode::Numpad3 => strategy(2),
        KeyCode::Digit4 | KeyCode::Numpad4 => strategy(3),
        KeyCode::Digit5 | KeyCode::Numpad5 => strategy(4),
        KeyCode::Digit6 | KeyCode::Numpad6 => strategy(5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_are_the_strategies_in_their_order() {
        let digits = [
            KeyCode::Digit1,
            KeyCode::Digit2,
            KeyCode::Digit3,
            KeyCode::Digit4,
            KeyCode::Digit5,
            KeyCode::Digit6,
        ];
        assert_eq!(
            digits.map(of_key),
            StrategyName::ALL.map(|name| Some(Action::Strategy(name)))
        );
        assert_eq!(of_key(KeyCode::KeyA), None);
    }
}
